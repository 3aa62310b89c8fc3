"""The auditor: proves from the topics alone that portfolios and exchange have the same books. Shares no code with the ledger."""
