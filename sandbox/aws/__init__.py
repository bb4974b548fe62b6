"""The stand-in for AWS: one endpoint for all accounts, moto behind it, and what moto lacks around it."""
