"""Lists the members of the fleet, from what their heartbeats say (``make fleet``); an operator's tool, in no zip."""
