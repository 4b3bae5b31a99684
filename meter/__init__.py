"""Energy: the register of a slot's meter, and which samples are taken when."""
