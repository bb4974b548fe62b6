"""The other end of every connection of a measured function: AWS and Slack, in a process of their own.

It notes when each request arrived, answers no sooner than AWS would, and either hands a call on to moto or answers it
itself from memory.
"""
