"""Whether the modules under test are the compiled ones (`make compiled`)."""

from homeport.server import lobby

COMPILED = not str(lobby.__file__).endswith(".py")
