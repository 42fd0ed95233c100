// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Command fewcolours makes the picture of a terminal small: it reads a PNG and writes it with at most 256 colours.
package main

import (
	"image"
	"image/color"
	"image/png"
	"log"
	"maps"
	"os"
	"slices"
)

func main() {
	in, err := png.Decode(os.Stdin)
	if err != nil {
		log.Fatal("cannot read the picture: ", err)
	}
	small := image.NewPaletted(in.Bounds(), palette(in))
	for y := in.Bounds().Min.Y; y < in.Bounds().Max.Y; y++ {
		for x := in.Bounds().Min.X; x < in.Bounds().Max.X; x++ {
			small.Set(x, y, in.At(x, y))
		}
	}
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(os.Stdout, small); err != nil {
		log.Fatal("cannot write the picture: ", err)
	}
}

// palette returns the colour that is used most of those that are much alike: the edges of letters have many.
func palette(in image.Image) color.Palette {
	const most, alike = 256, 4
	counts := map[color.RGBA]int{}
	for y := in.Bounds().Min.Y; y < in.Bounds().Max.Y; y++ {
		for x := in.Bounds().Min.X; x < in.Bounds().Max.X; x++ {
			c := color.RGBAModel.Convert(in.At(x, y)).(color.RGBA) //nolint:forcetypeassert // the model's own type
			counts[c]++
		}
	}
	best := map[color.RGBA]color.RGBA{}
	for c, n := range counts {
		like := color.RGBA{c.R >> alike, c.G >> alike, c.B >> alike, 0}
		if known, ok := best[like]; !ok || counts[known] < n {
			best[like] = c
		}
	}
	all := slices.SortedFunc(maps.Values(best), func(a, b color.RGBA) int { return counts[b] - counts[a] })
	var out color.Palette
	for _, c := range all[:min(most, len(all))] {
		out = append(out, c)
	}
	return out
}
