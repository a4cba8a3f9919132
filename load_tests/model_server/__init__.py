"""The model server alone, measured from outside."""
