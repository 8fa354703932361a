"""Carriers: one package each, all behind the Carrier port of `application/ports.py`.

Nothing here decides what an outcome or a receipt means for a message; that is `domain/message.py`.
"""
