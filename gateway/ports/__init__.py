"""What the services need from the outside world, as Protocols; gateway.adapters fulfils them."""
