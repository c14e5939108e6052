#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "core/io/http.h"
#include "core/result.h"

namespace berth::cli {

/// Where a repository is, what of it is believed, and how it is asked: as `[repository]` of berthd.toml says it for a node.
struct RepositoryLocation {
  std::string at{};    ///< a folder, file://, http:// or https://
  std::string root{};  ///< file of a root.json that is believed; empty: the folder's own first one
  io::TlsOptions tls{};
  std::vector<std::string> mirrors{};  ///< asked in this order where `at` does not answer
  std::string token{}, user{}, password{};  ///< token and password are references to secrets, as in berthd.toml; or empty
  std::vector<std::string> secret_commands{};  ///< that these may name
  std::string token_file{}, password_file{};   ///< as options name them
  std::string proxy{};       ///< empty: as the environment says; "none"
  std::string rate_limit{};  ///< "2MB"; empty: none
  std::function<void(std::string_view)> tell{};  ///< is told of each file that is asked for, with --verbose; or empty
  std::string config{};      ///< a berthd.toml, whose [repository] counts; what was said beside it goes before
};

/// `--repo`, whose help is `what_repo`, `--root`, and the options that say how it is asked.
std::vector<Option> location_options(RepositoryLocation& into, std::string what_repo);

/// Puts what `--config` names into its place. `Errc::usage` for what does not go together.
Result<void> take_configuration(RepositoryLocation& location);

/// How every request to the repository is made. Reads the files of secrets; which are nowhere but in memory afterwards.
Result<io::FetchOptions> fetch_options_of(const RepositoryLocation& location);

/// What of that the place `url` may see: a token or password is for the scheme, host and port of `home` alone.
io::FetchOptions options_at(const std::string& url, const std::string& home, io::FetchOptions options);

}  // namespace berth::cli
