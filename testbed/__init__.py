"""Real servers on this machine, for the integration tests and the quickstart.

Each server here is private: own ports on the loopback interface, own files under a directory it is given, and ended by
its process id. Nothing in the four packages of the program imports this one, and it is not part of the distribution.
"""
