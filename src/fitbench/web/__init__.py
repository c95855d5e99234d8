"""What the servers of fitbench share: listening, limited connections, and the headers of a protected page. No Keras."""
