#include "cli/enrol/enrolment.h"

#include <algorithm>
#include <any>
#include <span>
#include <system_error>

#include <fmt/ranges.h>

#include "cli/enrol/request.h"
#include "core/crypto/keys.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/io/certificates.h"
#include "core/io/revocations.h"
#include "core/trust/client.h"
#include "core/trust/limits.h"
#include "daemon/config/config.h"
#include "daemon/config/section.h"
#include "daemon/config/sinks.h"

namespace berth::cli::enrol {
namespace {

constexpr std::string_view kPin = "sha256:";
constexpr std::size_t kMostFile = 1u << 20;
constexpr std::size_t kMostLists = 16u << 20;  ///< as berthd reads them

fs::path config_file(const Enrolment& enrolment) { return enrolment.folder / "berthd.toml"; }
fs::path root_file(const Enrolment& enrolment) { return enrolment.folder / "root.json"; }
fs::path key_file(const Enrolment& enrolment) { return enrolment.folder / "node.key"; }
fs::path authority_file(const Enrolment& enrolment) { return enrolment.folder / "ca.pem"; }
fs::path crl_file(const Enrolment& enrolment) { return enrolment.folder / "crl.pem"; }
fs::path request_file(const Enrolment& enrolment) { return enrolment.folder / "node.csr"; }

/// A string of TOML.
std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    else out += c;
  }
  return out + "\"";
}

/// "rack=r7" in two, at the last or first `separator`.
Result<std::pair<std::string, std::string>> split(const std::string& text, char separator, bool last, const char* option, const char* example) {
  const auto at = last ? text.rfind(separator) : text.find(separator);
  if (at == std::string::npos || at == 0 || at + 1 == text.size()) return fail(Errc::usage, fmt::format("{} {}: give it as in {}", option, text, example));
  return std::pair(text.substr(0, at), text.substr(at + 1));
}

/// The first complaint of berthd about a text, without the place in a file that is not there yet; empty where it is right.
std::string complaint_of(const std::string& text, std::string_view host) {
  const auto right = config::parse(text, "it", host);
  if (right) return {};
  std::string what = right.error().message;
  what.resize(std::min(what.find('\n'), what.size()));
  const auto place = what.find(": ");
  return place == std::string::npos ? what : what.substr(place + 2);
}

/// Whether berthd takes what an option says, which `text` has with as little as there can be besides.
Result<void> check_said(const std::string& option, const std::string& value, const std::string& text) {
  std::string what = complaint_of((text.starts_with("environment") ? "" : "environment = \"a\"\n") + text, "a");
  if (what.empty()) return {};
  if (const std::string key = option.substr(2) + ": "; what.starts_with(key)) what.erase(0, key.size());
  return fail(Errc::usage, fmt::format("{} {}: {}", option, value, what));
}

std::string table_of(const Enrolment& enrolment) {
  std::string text = fmt::format("\n[api]\nlisten = {}\ncertificate_file = {}\nkey_file = {}\nclient_ca_file = {}\n", toml_string(enrolment.listen),
                                 toml_string((enrolment.folder / "node.pem").string()), toml_string(key_file(enrolment).string()),
                                 toml_string(authority_file(enrolment).string()));
  if (!enrolment.crl.empty()) text += fmt::format("client_crl_file = {}\n", toml_string(crl_file(enrolment).string()));
  return text;
}

std::string client_table(std::string_view name, std::string_view role) { return fmt::format("\n[[api.client]]\nname = {}\nrole = {}\n", toml_string(name), toml_string(role)); }

/// What of the text is for the API elsewhere.
Result<std::string> api_of(const Enrolment& enrolment) {
  if (enrolment.listen.empty() && !enrolment.clients.empty()) return fail(Errc::usage, "--allow is for --listen");
  if (enrolment.listen.empty() && !enrolment.crl.empty()) return fail(Errc::usage, "--crl is for --listen");
  if (enrolment.listen.empty()) return std::string();
  std::string text = table_of(enrolment);
  BERTH_CHECK(check_said("--listen", enrolment.listen, text + client_table("a.example.org", "viewer")));
  if (enrolment.clients.empty()) return fail(Errc::usage, "--listen is for --allow: nobody could use it; say who may, as in --allow alice@example.org=operator");
  for (const std::string& client : enrolment.clients) {
    BERTH_TRY(const auto parts, split(client, '=', true, "--allow", "alice@example.org=operator"));
    const std::string table = client_table(parts.first, parts.second);
    BERTH_CHECK(check_said("--allow", client, table_of(enrolment) + table));
    text += table;
  }
  return text;
}

/// Whether a berthd.toml may be replaced: it is as the package brought it.
bool is_shipped(const std::string& text) { return crypto::sha256_hex(text) == BERTH_SHIPPED_CONFIG_SHA256; }

Result<std::string> root_of(const Enrolment& enrolment, trust::Remote& metadata) {
  if (!enrolment.root.starts_with(kPin)) return files::read(enrolment.root, trust::kMostRoot);
  const std::string pin = enrolment.root.substr(kPin.size());
  if (pin.size() != 64 || pin.find_first_not_of("0123456789abcdef") != std::string::npos)
    return fail(Errc::usage, fmt::format("--root {}: a SHA-256 has 64 digits of 0 to 9 and a to f; `sha256sum metadata/1.root.json` tells it where the repository is published", enrolment.root));
  BERTH_TRY(const std::string text, metadata.get("1.root.json", trust::kMostRoot));
  if (const std::string hash = crypto::sha256_hex(text); hash != pin)
    return fail(Errc::trust, fmt::format("the first root.json of {} has the SHA-256 {}, not {}: this is another repository, or somebody on the way changed it", enrolment.url, hash, pin));
  return text;
}

/// As a node does it, in a folder that is thrown away.
Result<void> try_repository(const std::string& root, trust::Remote& metadata, trust::WallTime now) {
  const files::TemporaryDirectory folder;
  trust::Client client(folder.path() / "tuf", metadata, [now] { return now; });
  BERTH_CHECK(client.init(root));
  return client.refresh();
}

/// Whether the place of the list of revoked certificates is free, or has that list.
Result<void> check_free_for_crl(const Enrolment& enrolment, const std::string& crl) {
  if (crl.empty()) return {};
  const fs::path file = crl_file(enrolment);
  const auto there = files::read(file, kMostLists);
  if (there && *there != crl)
    return fail(Errc::exists, fmt::format("{0} is there, and another list: it may be newer than {1}, and is not replaced. Enrol with '--crl {0}', or put the one that counts "
                                          "there by a rename first", file.string(), enrolment.crl.string()));
  if (!there && there.error().code != Errc::not_found) return std::unexpected(there.error());
  return {};
}

/// What is there and stands against it; before anything is written.
Result<void> check_free(const Enrolment& enrolment, const std::string& root, const std::string& config) {
  const auto there = files::read(config_file(enrolment), kMostFile);
  if (there && *there != config && !is_shipped(*there))
    return fail(Errc::exists, fmt::format("{} is there, and somebody wrote it: what it says is not replaced. Change it by hand, or move it away", config_file(enrolment).string()));
  if (!there && there.error().code != Errc::not_found) return std::unexpected(there.error());
  const auto pinned = files::read(root_file(enrolment), trust::kMostRoot);
  if (pinned && *pinned != root)
    return fail(Errc::exists, fmt::format("{} is there, and another one: this node believes another repository. Move it away if that is to change", root_file(enrolment).string()));
  if (!pinned && pinned.error().code != Errc::not_found) return std::unexpected(pinned.error());
  return {};
}

/// Whether what is in conf.d already goes with it: nothing there may say otherwise than enrol was told.
Result<void> check_drop_ins(const Enrolment& enrolment, const std::string& config) {
  const fs::path file = config_file(enrolment);
  BERTH_TRY(const auto files, config::files_of(file));
  std::vector<config::Source> sources{{.name = file.string(), .text = config}};
  for (const fs::path& one : std::span(files).subspan(1)) {
    BERTH_TRY(std::string text, files::read(one, kMostFile));
    sources.push_back({.name = one.string(), .text = std::move(text)});
  }
  const auto anything = config::kinds_read_by([](config::Section& section) {
    section.other_keys_are_known();
    return std::any();
  });
  if (auto right = config::parse(sources, enrolment.host, anything); !right)
    return fail(Errc::exists, fmt::format("{} is there, and does not go with what enrol would write:\n{}", config::drop_in_folder(file).string(), right.error().message));
  if (const auto otherwise = config::overrides(sources); !otherwise.empty())
    return fail(Errc::exists, fmt::format("what enrol would write would not count: {}. Take that out, or enrol with it", fmt::join(otherwise, "; ")));
  return {};
}

Result<void> write_key(const Enrolment& enrolment, Enrolled& done) {
  const fs::path file = key_file(enrolment);
  const auto there = crypto::SigningKey::load(file);
  if (there) {
    done.kept.push_back(file);
    return {};
  }
  if (there.error().code != Errc::not_found) return std::unexpected(there.error());
  BERTH_CHECK(crypto::SigningKey::generate(crypto::KeyType::ecdsa_p256).save(file));
  done.wrote.push_back(file);
  return {};
}

Result<void> write_unless_equal(const fs::path& file, const std::string& text, Enrolled& done) {
  if (const auto there = files::read(file, std::max(kMostFile, text.size())); there && *there == text) {
    done.kept.push_back(file);
    return {};
  }
  BERTH_CHECK(files::replace(file, text, 0644));
  done.wrote.push_back(file);
  return {};
}

Result<void> write_config(const Enrolment& enrolment, const std::string& config, Enrolled& done) {
  const fs::path file = config_file(enrolment), shipped = file.string() + ".shipped";
  if (const auto there = files::read(file, kMostFile); there && *there != config) {
    BERTH_CHECK(files::replace(shipped, *there, 0644));
    done.wrote.push_back(shipped);
  }
  return write_unless_equal(file, config, done);
}

/// What berthd would say of the list; empty: it can be gone by, as far as one can tell here.
Result<std::string> problem_of_crl(const Enrolment& enrolment, trust::WallTime now) {
  io::Certificates authorities;  // none: the list is read, and not compared
  std::error_code failed;
  if (const fs::path file = authority_file(enrolment); fs::exists(file, failed)) BERTH_CHECK(authorities.load(file.string(), true));
  return io::Revocations(enrolment.crl.string(), *authorities.get()).problem(now);
}

}  // namespace

Result<std::string> crl_of(const Enrolment& enrolment, trust::WallTime now) {
  if (enrolment.crl.empty()) return std::string();
  auto content = files::read(enrolment.crl, kMostLists);
  if (!content) return fail(Errc::usage, fmt::format("--crl: {}: give the list that 'berth ca crl' or your CA writes", content.error().message));
  const auto problem = problem_of_crl(enrolment, now);
  if (!problem) return fail(Errc::usage, problem.error().message);
  if (!problem->empty()) return fail(Errc::usage, fmt::format("--crl {}: by it {}", enrolment.crl.string(), *problem));
  return content;
}

Result<std::string> configuration_of(const Enrolment& enrolment) {
  std::string text = "# Written by 'berth node enrol'. Every key there is, with what it means, is in the berthd.toml that berth comes with\n# (berthd.toml.shipped, or config/berthd.toml of its sources). Files in conf.d add to it. 'berthd --check' says what is wrong.\n\n";
  BERTH_CHECK(check_said("--environment", enrolment.environment, fmt::format("environment = {}\n", toml_string(enrolment.environment))));
  if (!enrolment.node.empty()) BERTH_CHECK(check_said("--name", enrolment.node, fmt::format("node = {}\n", toml_string(enrolment.node))));
  text += fmt::format("node = {}\nenvironment = {}\n", toml_string(enrolment.node.empty() ? enrolment.host : enrolment.node), toml_string(enrolment.environment));
  if (!enrolment.labels.empty()) text += "\n[labels]\n";
  for (const std::string& label : enrolment.labels) {
    BERTH_TRY(const auto parts, split(label, '=', false, "--label", "rack=r7"));
    const std::string line = fmt::format("{} = {}\n", toml_string(parts.first), toml_string(parts.second));
    BERTH_CHECK(check_said("--label", label, "[labels]\n" + line));
    text += line;
  }
  const std::string repository = fmt::format("\n[repository]\nurl = {}\nroot = {}\n", toml_string(enrolment.url), toml_string(root_file(enrolment).string()));
  BERTH_CHECK(check_said("--repo", enrolment.url, repository));
  text += repository;
  if (!enrolment.ca_file.empty()) text += fmt::format("ca_file = {}\n", toml_string(fs::absolute(enrolment.ca_file).string()));
  if (!enrolment.token_file.empty()) text += fmt::format("token = {}\n", toml_string("file:" + fs::absolute(enrolment.token_file).string()));
  BERTH_TRY(const std::string api, api_of(enrolment));
  text += api;
  for (const std::string& follow : enrolment.follow) {
    BERTH_TRY(const auto parts, split(follow, '@', false, "--channel", "web@stable"));
    const std::string table = fmt::format("\n[[follow]]\napp = {}\nchannel = {}\n", toml_string(parts.first), toml_string(parts.second));
    BERTH_CHECK(check_said("--channel", follow, repository + table));
    text += table;
  }
  // What each says is right; they may not go together.
  if (const std::string what = complaint_of(text, enrolment.host); !what.empty()) return fail(Errc::usage, "berth node enrol: " + what);
  return text;
}

Result<Enrolled> enrol(const Enrolment& enrolment, trust::Remote& metadata, trust::WallTime now) {
  Enrolled done{.node = enrolment.node.empty() ? enrolment.host : enrolment.node, .names = enrolment.names};
  if (done.names.empty()) {
    if (auto name = parse_name(done.node)) done.names.push_back(std::move(*name));
  }
  BERTH_TRY(const std::string config, configuration_of(enrolment));
  BERTH_TRY(const std::string root, root_of(enrolment, metadata));
  BERTH_TRY(const std::string crl, crl_of(enrolment, now));
  BERTH_CHECK(check_free(enrolment, root, config));
  BERTH_CHECK(check_free_for_crl(enrolment, crl));
  BERTH_CHECK(check_drop_ins(enrolment, config));
  BERTH_CHECK(try_repository(root, metadata, now));

  BERTH_CHECK(files::make_directories(enrolment.folder, 0755));
  BERTH_CHECK(write_unless_equal(root_file(enrolment), root, done));
  BERTH_CHECK(write_key(enrolment, done));
  BERTH_TRY(const std::string request, make_request(key_file(enrolment), done.names));
  BERTH_CHECK(files::replace(request_file(enrolment), request, 0644));
  done.wrote.push_back(request_file(enrolment));
  if (!crl.empty()) BERTH_CHECK(write_unless_equal(crl_file(enrolment), crl, done));
  BERTH_CHECK(write_config(enrolment, config, done));
  return done;
}

Result<std::vector<Name>> names_of_request(const fs::path& file) {
  BERTH_TRY(const std::string pem, files::read(file, kMostFile));
  BERTH_TRY(Request request, read_request(pem, file.string()));
  return std::move(request.names);
}

}  // namespace berth::cli::enrol
