"""HOW A MACHINE BECOMES A WORKER: from a wholly decided spec to the user data of one machine.

The contract says what goes in and out, `render` is the door. This room knows Debian, cloud-init, supervisord and
Celery's command line; it knows no provider, no policy and no daemon, and it is pure: it touches no machine.
"""
