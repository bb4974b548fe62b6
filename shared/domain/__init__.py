"""The pure heart of the product: stdlib values in, stdlib values out; no AWS, no environment, no clock, no logging."""
