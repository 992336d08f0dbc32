"""How the house band's songs and models are made. README.md lists the commands in order."""
