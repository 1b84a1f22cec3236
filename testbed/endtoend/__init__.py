"""`make e2e`: the daemon, a real RabbitMQ and a cloud of virtual machines on this computer, from order to destroy.

From the ground up: `recipes` (the images), `place` (its directory and configuration), `ears` (workers as the broker
hears them), `phases` (where a machine's time goes), `stage` (all parts, running), `acts` (what is done with them).
"""
