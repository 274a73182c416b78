"""How a platform and this service come to know each other: by hand, or by a registration that the platform begins."""
