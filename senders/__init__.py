"""What Tickhook knows about the services that send webhooks. Uses no framework.

`definitions` describes senders as data, `parsing` reads request bodies, `signatures`
verifies and makes signatures, and `sandbox` runs code that an administrator uploaded.
`types/` and `samples/` hold the webhook types that ship and their sample deliveries.
"""
