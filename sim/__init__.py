"""Everything that is simulated: boards, vehicles, people, networks, disks and central systems."""
