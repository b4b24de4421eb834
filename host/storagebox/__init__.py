"""The storage box: the host of an installation. It keeps the topology and streams the music."""
