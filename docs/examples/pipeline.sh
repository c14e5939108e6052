#!/bin/sh
# Builds an app, signs its release with the app's own key, hands it in, has it published, and deploys it on nodes by its id.
#
# usage: pipeline.sh FOLDER
# FOLDER has the app's berth.toml; environments/ is in the folder that this is run in. docs/tutorial-pipeline.md tells what to set up before, once.
#
# APP                 the app, as berth.toml calls it
# ENVIRONMENT         the environment, such as production
# RELEASE             the id of the release: given by the pipeline, another one for each run, the same one when a run is repeated
# REPOSITORY          the folder of the repository: the repository itself, or a copy of it
# SIGNING_KEY         the file of the app's private key; or "" where SIGNER and SIGNER_KEY say how a KMS signs
# NODES               the nodes, by spaces, in the order in which they get the release; BERTH_CA_FILE, BERTH_CERTIFICATE_FILE and BERTH_KEY_FILE
#                     say who asks them
# BRING               a command that brings the copy up to date; "" where REPOSITORY is the repository itself
# HAND_IN             a command that brings $REPOSITORY/incoming/$APP to the repository; ""
# ACCEPT              a command that has it published, by whoever holds the keys of snapshot and timestamp (default: berth repo accept $REPOSITORY)
#
# Ends as 'berth deploy' does: 0 the release is active on all nodes; 1 it failed on one, where the release before still serves; 5 it was reverted there;
# nodes behind that one were not touched. 4 where something was not believed.
set -eu

folder="${1:?usage: pipeline.sh FOLDER}"
: "${APP:?}" "${ENVIRONMENT:?}" "${RELEASE:?}" "${REPOSITORY:?}" "${SIGNING_KEY?}" "${NODES:?}"
BRING="${BRING:-}"
HAND_IN="${HAND_IN:-}"
ACCEPT="${ACCEPT:-berth repo accept "$REPOSITORY"}"
export APP ENVIRONMENT RELEASE REPOSITORY

say() { printf '== %s\n' "$*"; }

# A store of builds for this run alone: what another run builds at the same time is not released by mistake.
XDG_DATA_HOME="$(mktemp -d)"
export XDG_DATA_HOME
trap 'rm -rf "$XDG_DATA_HOME"' EXIT
trap 'exit 130' INT TERM

if [ -n "$BRING" ]; then
  say "bring: the repository's copy"
  sh -c "$BRING"
fi

# A run that is repeated finds its release there, and goes on with the deployment.
if berth inspect "$APP/$ENVIRONMENT@$RELEASE" --repo "$REPOSITORY" > "$XDG_DATA_HOME/found" 2>&1; then
  say "release: $APP/$ENVIRONMENT@$RELEASE is published already"
else
  say "build"
  berth build "$folder" --version "$RELEASE" --quiet

  say "release: joined with environments/$ENVIRONMENT, and signed"
  if [ -n "$SIGNING_KEY" ]; then
    set -- --key "$SIGNING_KEY"
  else
    set -- --signer "${SIGNER:?}" --signer-key "${SIGNER_KEY:?}"
  fi
  berth release "$APP" --env "$ENVIRONMENT" --id "$RELEASE" --repo "$REPOSITORY" "$@" --quiet

  if [ -n "$HAND_IN" ]; then
    say "hand in"
    sh -c "$HAND_IN"
  fi

  # It ends with 4 also where something of another app was refused: whether this release was published, the deployment finds out.
  say "accept"
  sh -c "$ACCEPT" || say "accept ended with $?"
fi

say "deploy: $NODES"
BERTH_NODE="$NODES" berth deploy "$APP/$ENVIRONMENT@$RELEASE" --reason "pipeline, release $RELEASE"
