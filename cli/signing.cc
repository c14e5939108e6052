#include <chrono>
#include <cstdlib>
#include <span>
#include <tuple>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/publishing.h"
#include "core/files/files.h"
#include "core/trust/command_signer.h"

namespace berth::cli {

namespace fs = std::filesystem;

std::vector<Option> signing_options(SigningOptions& into, const std::string& key_name) {
  std::vector<Option> options{
          {"--keys", "DIR", "the folder of the repository's private keys, ROLE.pem (default: DIR-keys, beside it)", &into.keys, Completes::folder},
          {key_name, "FILE", "sign with this private key; may be repeated", &into.key_files, Completes::file},
          {"--signer", "COMMAND", "sign by a shell command: bytes on stdin, signature in hex or base64 on stdout; may be repeated", &into.signers},
          {"--signer-key", "FILE", "the public key of that command", &into.signer_keys, Completes::file},
          {"--signer-timeout", "SECONDS", "how long it may take (default: 60)", &into.signer_seconds},
          {"--passphrase-file", "FILE", "holds the passphrase of encrypted keys, those that are made included", &into.passphrase_file, Completes::file},
          {"--passphrase-env", "NAME", "the environment variable that holds it", &into.passphrase_environment}};
  for (Option& option : std::span(options).subspan(1)) option.rare = true;
  return options;
}

Option wait_option(std::string& into) {
  return {.names = "--wait", .value = "DURATION", .help = "while another publisher is at work in the repository, wait for so long at most (default: not at all)", .into = &into, .rare = true};
}

Result<std::chrono::milliseconds> wait_of(const SigningOptions& options) {
  BERTH_TRY(const auto wait, duration_argument(options.wait, "--wait"));
  return wait.value_or(std::chrono::milliseconds(0));
}

std::vector<Option> with_signing(std::vector<Option> options, SigningOptions& into, const std::string& key_name) {
  for (Option& option : signing_options(into, key_name)) options.push_back(std::move(option));
  return options;
}

crypto::AskPassphrase passphrase_of(const SigningOptions& options) {
  return [file = options.passphrase_file, variable = options.passphrase_environment](std::string_view) -> Result<std::string> {
    if (!file.empty()) {
      BERTH_TRY(std::string text, files::read(file, 4096));
      if (text.ends_with('\n')) text.pop_back();
      return text;
    }
    if (variable.empty()) return fail(Errc::usage, "is encrypted; give its passphrase by --passphrase-file or --passphrase-env");
    const char* text = std::getenv(variable.c_str());
    if (text == nullptr) return fail(Errc::usage, fmt::format("is encrypted, and the variable {} is not set", variable));
    return std::string(text);
  };
}

Result<std::string> new_key_passphrase(const SigningOptions& options) {
  const auto& [file, variable] = std::tie(options.passphrase_file, options.passphrase_environment);
  if (file.empty() && variable.empty()) return std::string();
  if (file.empty() && std::getenv(variable.c_str()) == nullptr)
    return fail(Errc::usage, fmt::format("--passphrase-env {}: the variable is not set, and new keys are to be encrypted with it", variable));
  BERTH_TRY(std::string passphrase, passphrase_of(options)("new keys"));
  if (passphrase.empty())
    return fail(Errc::usage, fmt::format("{}: the passphrase for new keys is empty", file.empty() ? "--passphrase-env " + variable : file));
  return passphrase;
}

Result<void> add_given_signers(const SigningOptions& options, trust::Keyring& keyring) {
  const auto ask = passphrase_of(options);
  for (const std::string& file : options.key_files) {
    BERTH_TRY(auto key, crypto::SigningKey::load(file, ask));
    keyring.add(trust::signer_of(std::move(key)));
  }
  if (options.signers.size() != options.signer_keys.size())
    return fail(Errc::usage, "each --signer COMMAND needs the public key of what it signs with: --signer-key FILE");
  const std::int64_t seconds = options.signer_seconds.value_or(60);
  if (seconds < 1 || seconds > 86'400) return fail(Errc::usage, "--signer-timeout: 1 to 86400 seconds");
  for (std::size_t i = 0; i < options.signers.size(); ++i) {
    BERTH_TRY(auto key, read_public_key(options.signer_keys[i]));
    keyring.add(trust::signer_of(
        trust::SigningCommand{.command = options.signers[i], .key = std::move(key), .deadline = std::chrono::seconds(seconds)}));
  }
  return {};
}

Result<trust::Keyring> keyring_of(const SigningOptions& options, const fs::path& repository) {
  trust::Keyring keyring(options.keys.empty() ? keys_beside(repository) : fs::path(options.keys), passphrase_of(options));
  BERTH_CHECK(add_given_signers(options, keyring));
  return keyring;
}

}  // namespace berth::cli
