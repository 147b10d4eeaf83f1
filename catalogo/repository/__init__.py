"""PostgreSQL behind the ports of use_cases.py: `produtos` and `estoque` write, `alteracoes` feeds the shop window."""
