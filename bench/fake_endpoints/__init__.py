"""AWS and Slack for the measured functions, in a process of its own: moto behind a fixed latency.

It notes when each request arrived and answers no sooner than AWS would. What moto took longer is noted too, and the
figures leave it out.
"""
