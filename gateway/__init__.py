"""The edge's own code: the shop's health, reflection for every service, the API's description and its page."""
