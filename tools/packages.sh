# Installs Debian packages that are missing; says what, asks nothing. Sourced by the other tools.

# need_packages NAME…: installs those that dpkg does not list as installed.
need_packages() {
    local missing=()
    for name in "$@"; do
        dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    echo "Installing ${missing[*]} (Debian packages)…" >&2
    local root=()
    [ "$(id -u)" -eq 0 ] || root=(sudo)
    if ! "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null 2>&1; then
        "${root[@]}" apt-get update -qq >/dev/null
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
    fi
}

# need_swift: stops with directions when there is no Swift toolchain.
need_swift() {
    if ! command -v swift >/dev/null; then
        echo "Swiftlet needs the Swift toolchain (6.3 or newer), and \`swift\` is not in PATH." >&2
        echo "Get it for Debian 12 from https://www.swift.org/install/linux/ , unpack it, add its usr/bin to PATH, and run this again." >&2
        exit 1
    fi
}
