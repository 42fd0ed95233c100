#!/usr/bin/env bash
# The pictures in docs/images, from a real terminal on a running lab: tmux, aha and chromium draw them.
# Usage: hack/screenshots.sh NAME COLUMNS ROWS COMMAND [KEY…]; a number among the keys waits so many seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1 columns=$2 rows=$3 command=$4
shift 4
scratch=$(mktemp -d)
trap 'tmux -L "$name" kill-server 2>/dev/null || true; rm -rf "$scratch"' EXIT

tmux -L "$name" -f /dev/null new-session -d -x "$columns" -y "$rows" "env TERM=xterm-256color COLORTERM=truecolor $command; sleep 60"
sleep 2
for key; do
	case $key in
	[0-9]*) sleep "$key" ;;
	*) tmux -L "$name" send-keys "$key" ;;
	esac
done
sleep 1
tmux -L "$name" capture-pane -e -p >"$scratch/screen"

# A page as large as the terminal, in a font whose cells are 9 by 18 pixels.
{
	cat <<-EOF
		<meta charset="utf-8"><style>
		body { margin: 0; background: #16181d; }
		pre { margin: 12px; font: 15px/18px "DejaVu Sans Mono"; color: #d8dade; }
		</style><pre>
	EOF
	# aha knows no reverse video
	sed 's/\x1b\[7m/\x1b[38;5;16;48;5;252m/g' "$scratch/screen" | aha --no-header --black
	echo '</pre>'
} >"$scratch/screen.html"
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --default-background-color=16181dff \
	--window-size="$((columns * 903 / 100 + 24)),$((rows * 18 + 24))" \
	--screenshot="$scratch/screen.png" "file://$scratch/screen.html" 2>/dev/null
mkdir -p docs/images
mv "$scratch/screen.png" "docs/images/$name.png"
