"""What a shell joins to the core: stores, clocks, brokers."""
