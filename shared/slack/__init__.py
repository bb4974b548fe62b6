"""Everything between the product and Slack: messages as Block Kit payloads, the posts, the clicks that come back."""
