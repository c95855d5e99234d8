"""`fitbench doctor`: what this machine has and lacks. It needs no other package, so it finds those that are broken."""
