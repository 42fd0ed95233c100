#!/usr/bin/env bash
# The pictures in docs/images, from a real terminal on a running lab: tmux, aha and chromium draw them.
# Usage: hack/screenshots.sh NAME COLUMNS ROWS COMMAND [KEY…]; 4s among the keys waits four seconds.
# THEMES="dark light" draws the same screen twice, the second as NAME-light.png; IMAGES is where the pictures go.
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1 columns=$2 rows=$3 command=$4
shift 4
images=${IMAGES:-docs/images}
scratch=$(mktemp -d)
trap 'tmux -L "$name" kill-server 2>/dev/null || true; rm -rf "$scratch"' EXIT

(cd hack && go build -o "$scratch/fewcolours" ./fewcolours)
tmux -L "$name" -f /dev/null new-session -d -x "$columns" -y "$rows" "env TERM=xterm-256color COLORTERM=truecolor $command; sleep 60"
sleep 2
for key; do
	case $key in
	[0-9]*s) sleep "${key%s}" ;;
	*) tmux -L "$name" send-keys "$key" ;;
	esac
done
sleep 1
tmux -L "$name" capture-pane -e -p >"$scratch/screen"

# A page as large as the terminal, in a font whose cells are 9 by 18 pixels.
draw() {
	local file=$1 ground=$2 ink=$3 inverse=$4 scheme=$5
	{
		cat <<-EOS
			<meta charset="utf-8"><style>
			body { margin: 0; background: #$ground; }
			pre { margin: 12px; font: 15px/18px "DejaVu Sans Mono"; color: #$ink; }
			</style><pre>
		EOS
		# The screen ends reverse video with the default colours, which aha takes for those of the text in it; its grey is too light.
		sed -E "s/\x1b\[(0;)?((1;)?)7m(\x1b\[39m)?(\x1b\[49m)?/\x1b[0m\x1b[\2${inverse}m/g" "$scratch/screen" | aha --no-header $scheme |
			sed -E "s/filter: [^;\"]*;color:dimgray/color:#808790/g"
		echo '</pre>'
	} >"$scratch/screen.html"
	chromium --headless --no-sandbox --disable-gpu --disable-lcd-text --hide-scrollbars --default-background-color="$ground"ff \
		--window-size="$((columns * 903 / 100 + 24)),$((rows * 18 + 24))" \
		--screenshot="$scratch/screen.png" "file://$scratch/screen.html" 2>/dev/null
	mkdir -p "$images"
	"$scratch/fewcolours" <"$scratch/screen.png" >"$images/$file.png"
}
for theme in ${THEMES:-dark}; do
	case $theme in
	dark) draw "$name" 16181d d8dade '38;5;16;48;5;252' --black ;;
	light) draw "$name-light" ffffff 24292f '38;5;231;48;5;238' '' ;;
	*)
		echo "THEMES has dark and light, not $theme" >&2
		exit 1
		;;
	esac
done
