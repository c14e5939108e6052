#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "cli/command.h"
#include "cli/console.h"
#include "core/bundle/manifest.h"
#include "core/publish/build.h"
#include "core/publish/release.h"
#include "core/trust/keyring.h"

namespace berth::cli {

// What the publisher's verbs have in common. None of them needs a berthd.

Option repository_option(std::string& into);
/// Who signs, as the command line says it.
struct SigningOptions {
  std::string keys;                    ///< a folder
  std::vector<std::string> key_files;
  std::vector<std::string> signers, signer_keys;  ///< commands, and their public keys' files in the same order
  std::optional<std::int64_t> signer_seconds;
  std::string passphrase_file, passphrase_environment;
  std::string wait;  ///< how long, while another publisher is at work in the repository
};
/// The option of that.
Option wait_option(std::string& into);
/// What it says; none where it says nothing. `Errc::usage`.
Result<std::chrono::milliseconds> wait_of(const SigningOptions& options);

/// `key_name` is what the option of one more key file is called where "--key" is something else.
std::vector<Option> signing_options(SigningOptions& into, const std::string& key_name = "--key");
/// `options` and those of signing.
std::vector<Option> with_signing(std::vector<Option> options, SigningOptions& into, const std::string& key_name = "--key");

/// Adds the key files and commands that were given. Fails as reading a key file does.
Result<void> add_given_signers(const SigningOptions& options, trust::Keyring& keyring);

/// Where an encrypted key's passphrase comes from: a file or a variable, never the command line.
crypto::AskPassphrase passphrase_of(const SigningOptions& options);

/// The same, for private keys that are made now; empty where none was given: they are not encrypted then. `Errc::usage` where what was given is empty.
Result<std::string> new_key_passphrase(const SigningOptions& options);

/// The keys that were given, and those beside the repository. Fails as reading a key file does.
Result<trust::Keyring> keyring_of(const SigningOptions& options, const std::filesystem::path& repository);

/// A public key's file, PEM. `Errc::usage` where it is none, such as a private key.
Result<crypto::PublicKey> read_public_key(const std::string& file);

/// "a, b, c"
std::string joined(const std::vector<std::string>& words);

Option incoming_option(std::string& into);
Option environments_option(std::string& into);

/// Where the keys of a repository lie unless told: beside it, `<repository>-keys`, since all of the repository is served.
std::filesystem::path keys_beside(const std::filesystem::path& repository);

/// The repository of `--repo`, with its keys. `Errc::usage` where none is named.
Result<publish::Repository> publisher_repository(const std::string& verb, const std::string& folder, const SigningOptions& signing,
                                                 const std::string& incoming = {});

/// The options that choose a release's id.
struct IdOptions {
  std::string id;
  bool timestamp = false;
};
std::vector<Option> id_options(IdOptions& into);

/// The options that say which patches are made.
struct PatchingOptions {
  std::optional<std::int64_t> builds;
  bool none = false;
  std::string effort;
};
std::vector<Option> patching_options(PatchingOptions& into);
Result<publish::ReleaseOptions> release_options(const std::string& verb, const IdOptions& options, const PatchingOptions& patching,
                                                const std::vector<std::string>& attachments = {});

/// How what a delegated role signed gets published.
std::string next_step(const std::filesystem::path& handed_in, std::int64_t missing_signatures, const std::filesystem::path& repository);

/// Tells what was published, and how to go on.
void tell_published(const Console& console, const publish::Published& published, const std::filesystem::path& repository);

/// What JSON says of a build, and of a release.
boost::json::object build_json(const publish::Build& build);
boost::json::object release_json(const bundle::Manifest& manifest);

}  // namespace berth::cli
