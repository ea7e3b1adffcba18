"""What the plugin costs, measured against bare pytest: ``make bench``."""
