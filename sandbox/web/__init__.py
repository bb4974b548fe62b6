"""The page: the sandbox in a browser. HTML, CSS and JavaScript modules in ``static/``, a small server beside them.

Everything the page does goes through :class:`sandbox.system.Sandbox`; no part of the product knows that it exists.
"""
