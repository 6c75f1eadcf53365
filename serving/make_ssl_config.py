"""Write an SSLConfig from PEM files: `python -m tfclf.server.make_ssl_config`, by its old path."""

from tfclf.server.make_ssl_config import main

if __name__ == "__main__":
    main()
