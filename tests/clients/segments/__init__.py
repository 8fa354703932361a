"""The segment counter compared with npm `sms-segments-calculator`."""
