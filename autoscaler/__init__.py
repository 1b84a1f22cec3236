"""The daemon that buys and gives back Celery workers as queues fill and empty."""
