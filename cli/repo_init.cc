#include <algorithm>
#include <charconv>
#include <chrono>
#include <memory>

#include <boost/json/array.hpp>
#include <fmt/core.h>

#include "cli/publishing.h"
#include "cli/repo.h"
#include "core/files/files.h"
#include "core/trust/limits.h"
#include "core/trust/repository_init.h"

namespace berth::cli {
namespace {

namespace fs = std::filesystem;


struct RepoInitOptions {
  std::string folder, out, in;
  std::vector<std::string> public_keys, thresholds;
  SigningOptions signing;
};

/// "ROLE=VALUE", of a role that there is.
Result<std::pair<std::string, std::string>> role_and_value(const std::string& text, const char* option) {
  const auto equals = text.find('=');
  const std::string role = text.substr(0, equals);
  const bool known = std::ranges::find(trust::kKeyRoles, role) != std::end(trust::kKeyRoles);
  if (equals == std::string::npos || !known)
    return fail(Errc::usage, fmt::format("berth repo init: {} {}: say it as ROLE=VALUE; the roles are root, targets, snapshot, timestamp", option, text));
  return std::pair(role, text.substr(equals + 1));
}

Result<trust::RepositoryPlan> plan_of(const RepoInitOptions& options, const fs::path& keys) {
  trust::RepositoryPlan plan{.keys = keys, .roles = {}};
  BERTH_TRY(plan.passphrase, new_key_passphrase(options.signing));
  for (const std::string& text : options.public_keys) {
    BERTH_TRY(const auto given, role_and_value(text, "--public"));
    BERTH_TRY(auto key, read_public_key(given.second));
    plan.roles[given.first].keys.push_back(std::move(key));
  }
  for (const std::string& text : options.thresholds) {
    BERTH_TRY(const auto given, role_and_value(text, "--threshold"));
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(given.second.data(), given.second.data() + given.second.size(), number);
    if (error != std::errc() || *end != '\0' || number < 1 || number > 100)
      return fail(Errc::usage, fmt::format("berth repo init: --threshold {}: a number from 1 to 100", text));
    plan.roles[given.first].threshold = number;
  }
  return plan;
}

/// Where a key belongs, by how often it is needed and what its thief could do.
constexpr std::pair<const char*, const char*> kKeyAdvice[] = {
    {"root", "move it offline now: it replaces all the others, and is needed again in a year"},
    {"targets", "signs releases: where releases are made, and nowhere else"},
    {"snapshot", "signs with every release, and when 'berth repo refresh' runs"},
    {"timestamp", "the same; a timer has to use it more often than once a week"},
};

fs::path absolute(const fs::path& path) { return fs::absolute(path).lexically_normal(); }

/// That what is given by its public key can sign, before new keys of other roles are made for nothing.
Result<void> check_given(const trust::RepositoryPlan& plan, const trust::Keyring& keyring, const fs::path& folder) {
  for (const auto& [role, given] : plan.roles) {
    if (given.keys.empty()) continue;
    trust::RoleKeys listed{.keys = {}, .threshold = given.threshold};
    for (const crypto::PublicKey& key : given.keys) listed.keys.emplace(key.bytes(), key);
    auto signers = keyring.enough_for(role, listed, folder.string());
    if (!signers && role == "root") signers.error().message += "; where it is offline: --out FILE, and sign that";
    BERTH_CHECK(signers);
  }
  return {};
}

Result<Exit> init(const Console& console, const RepoInitOptions& options) {
  const fs::path folder = absolute(options.folder);
  const fs::path keys = options.signing.keys.empty() ? keys_beside(folder) : absolute(options.signing.keys);
  const auto now = std::chrono::system_clock::now();
  BERTH_TRY(const auto keyring, keyring_of(options.signing, folder));
  std::string first;
  if (!options.in.empty()) {
    BERTH_TRY(first, files::read(options.in, trust::kMostRoot));
  } else {
    BERTH_TRY(auto plan, plan_of(options, keys));
    if (options.out.empty()) BERTH_CHECK(check_given(plan, keyring, folder));
    BERTH_TRY(first, trust::first_root(folder, std::move(plan), keyring, now));
  }
  if (!options.out.empty()) {
    BERTH_CHECK(files::replace(options.out, first));
    console.line(fmt::format("{}: to be signed by the root keys: berth repo sign {} --key FILE; then: berth repo init {} --in {}", options.out, options.out,
                             options.folder, options.out));
    return Exit::ok;
  }
  BERTH_CHECK(trust::create_repository(folder, first, keyring, now));
  const fs::path root = folder / "metadata" / "1.root.json";
  if (console.json) {
    boost::json::array listed;
    for (const auto& [role, advice] : kKeyAdvice)
      if (fs::exists(keys / (std::string(role) + ".pem")))
        listed.push_back({{"role", role}, {"path", (keys / (std::string(role) + ".pem")).string()}, {"offline", std::string_view(role) == "root"}});
    console.document(boost::json::object{{"repository", folder.string()}, {"keys", std::move(listed)}, {"root", root.string()}});
    return Exit::ok;
  }
  console.line(fmt::format("{} is a repository; any web server may serve it. Nodes pin its root: {}", folder.string(), root.string()));
  console.note(fmt::format("Its private keys are in {}, which must not be served:", keys.string()));
  for (const auto& [role, advice] : kKeyAdvice)
    if (fs::exists(keys / (std::string(role) + ".pem"))) console.note(fmt::format("  {:<14} {}", std::string(role) + ".pem", advice));
  return Exit::ok;
}

}  // namespace

Verb repo_init_verb() {
  auto o = std::make_shared<RepoInitOptions>();
  return {.name = "init",
          .summary = "Make a repository and its keys",
          .text = "The keys are new Ed25519 files with mode 0600, beside the repository and never in it, encrypted where a passphrase is given "
                  "(--passphrase-file, --passphrase-env), which all that sign with them need from then on. A role that is given public keys gets those "
                  "instead: of keys that stay elsewhere, of other kinds (P-256, RSA), or in a device. Where root's stay offline, --out writes "
                  "the first root for 'berth repo sign', and --in takes it back.",
          .examples = {"berth repo init ./repo", "berth repo init /srv/releases --keys /media/usb/keys",
                       "berth repo init ./repo --threshold root=2 # two new root keys, both must sign",
                       "berth repo init ./repo --public root=a.pub --public root=b.pub --threshold root=2 --out root.json"},
          .exits = {Exit::failed, Exit::permission, Exit::conflict},
          .arguments = {repository_argument(o->folder)},
          .options = with_signing({{"--public", "ROLE=FILE", "a public key of a role, instead of a new one; may be repeated", &o->public_keys},
                                   {"--threshold", "ROLE=N", "how many keys of a role must sign (default: 1); may be repeated", &o->thresholds},
                                   {"--out", "FILE", "only write the first root here, to be signed elsewhere", &o->out, Completes::file},
                                   {"--in", "FILE", "make the repository with this root, which was signed elsewhere", &o->in, Completes::file}},
                                  o->signing),
          .action = [o](Console& console) { return init(console, *o); }};
}

}  // namespace berth::cli
