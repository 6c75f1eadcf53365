"""RPCs without their transport, message in and message out, a module for each kind."""
