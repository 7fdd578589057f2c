    url=http://169.254.169.254/latest/meta-data/
    if command -v curl > /dev/null 2>&1; then
        said=$(curl -s -o /dev/null -m 5 -w '%{http_code}' "$url")
    elif command -v wget > /dev/null 2>&1; then
        said=$(wget -q -S -O /dev/null -T 5 -t 1 "$url" 2>&1 | sed -n 's/^ *HTTP[^ ]* \([0-9]*\).*/\1/p' | tail -n 1)
    else
        echo "neither curl nor wget is there"
        return 1
    fi
    case "$said" in
        200) echo "it answers without a token: ask the cloud for version 2 only"; return 1 ;;
        *) echo "no answer without a token (${said:-nobody there})" ;;
    esac
