"""The founding policy, word for word."""

FOUNDING = """\
version: 1
policy:
  tool: "payments.refund"
  rules:
    - if: "amount_usd <= 50 and customer_tier in ['standard','pro']"
      allow: true
    - if: "amount_usd <= 200 and customer_tier == 'enterprise'"
      allow: true
    - if: "amount_usd > 50"
      require_approval: "support_manager"
    - log:
        redact_fields: ["card_number", "bank_account"]
        retain_days: 365
"""
