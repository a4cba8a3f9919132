#!/bin/sh
# The images that the chart asks for, into a network without a way out, in two steps on the two sides of it:
#
#   deploy/air-gapped/images.sh save images.tar                          pulls the others', saves all
#   deploy/air-gapped/images.sh push images.tar registry.example.com/mirror   loads, tags, pushes
#
# `image.registry` of the chart is then that same prefix. Ours are built before: `docker build` of each Dockerfile.
set -eu
cd "$(dirname "$0")"
docker=${DOCKER:-docker}  # or podman
usage="usage: images.sh save FILE | images.sh push FILE PREFIX"
step=${1:?"$usage"} file=${2:?"$usage"}

# Word splitting is wanted: one image a line, none with a space.
# shellcheck disable=SC2046
case $step in
save)
    for image in $(grep -v '^rekindle/' images.txt); do
        "$docker" pull "$image"
    done
    "$docker" save --output "$file" $(cat images.txt)
    ;;
push)
    prefix=${3:?"$usage"}
    "$docker" load --input "$file"
    while read -r image; do
        "$docker" tag "$image" "${prefix%/}/$image"
        "$docker" push "${prefix%/}/$image"
    done < images.txt
    ;;
*)
    echo "$usage" >&2
    exit 2
    ;;
esac
