"""Machines from any cloud that libcloud speaks to: the adapter, and the parts it stands on."""
