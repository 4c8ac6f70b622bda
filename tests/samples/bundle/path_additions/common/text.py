import deep_inside

NAME = "common " + deep_inside.NAME
