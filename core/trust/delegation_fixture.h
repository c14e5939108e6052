#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/crypto/keys.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/trust/delegation_change.h"
#include "core/trust/folder_remote.h"
#include "core/trust/handed_in.h"
#include "core/trust/repository.h"
#include "core/trust/repository_files.h"
#include "core/trust/role_document.h"
#include "core/trust/role_writer.h"

namespace berth::trust {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

inline bool no_pointers(std::string_view) { return false; }

/// A repository that delegates `web/*/*` and `shop/*/*` to a key each.
class Delegations : public testing::Test {
 protected:
  Delegations() {
    const auto made = init_repository(repo, keys, now);
    EXPECT_TRUE(made) << made.error().message;
    delegate("web", web);
    delegate("shop", shop);
  }

  void delegate(const std::string& role, const crypto::SigningKey& key, std::optional<std::int64_t> threshold = {}) {
    const auto done = writer().delegate({.role = role, .keys = {key.public_key()}, .paths = {role + "/*/*"}, .threshold = threshold});
    EXPECT_TRUE(done) << done.error().message;
  }

  RepositoryWriter writer() {
    auto opened = RepositoryWriter::open(repo, keys, [this] { return now; });
    EXPECT_TRUE(opened) << opened.error().message;
    return std::move(*opened);
  }

  Result<RoleWriter> role(const std::string& name, const crypto::SigningKey& key, bool vouch = false) {
    return RoleWriter::open(repo, repo / "incoming", name, ring(key), [this] { return now; }, vouch);
  }

  static Keyring ring(const crypto::SigningKey& key) {
    Keyring keyring;
    keyring.add(signer_of(copy(key)));
    return keyring;
  }

  /// Keys are not copied by accident; a test's are, by way of a file.
  static crypto::SigningKey copy(const crypto::SigningKey& key) {
    files::TemporaryDirectory there;
    EXPECT_TRUE(key.save(there.path() / "key.pem"));
    return *crypto::SigningKey::load(there.path() / "key.pem");
  }

  void hand_in(const std::string& name, const crypto::SigningKey& key, const std::string& target, const std::string& bytes) {
    auto writing = role(name, key);
    ASSERT_TRUE(writing) << writing.error().message;
    const auto done = writing->add_targets({{target, bytes}});
    ASSERT_TRUE(done) << done.error().message;
  }

  Result<std::vector<HandedIn>> handed_in(const std::string& name) {
    BERTH_TRY(const auto handed, HandedInFolder::open(repo / "incoming" / name));
    BERTH_TRY(const auto files, read_repository_files(repo));
    return read_handed_in(files, name, handed, now, no_pointers);
  }

  /// Accepts all of a role, its targets read from where they were handed in.
  Result<void> accept(const std::string& name) {
    BERTH_TRY(const auto chain, handed_in(name));
    if (chain.empty()) return fail(Errc::not_found, "nothing waits");
    std::map<std::string, std::string> targets;
    for (const HandedIn& one : chain)
      for (const Target& target : one.added) {
        BERTH_TRY(targets[target.name], files::read(repo / "incoming" / name / "targets" / file_of_target(target.name, target.hashes.at("sha256")), 1000));
      }
    return writer().accept({chain.back()}, targets);
  }

  Result<std::string> fetch(const std::string& name) {
    FolderRemote metadata(repo / "metadata");
    FolderRemote targets(repo / "targets");
    Client client(folder.path() / "node", metadata, [this] { return now; });
    BERTH_TRY(const std::string root, files::read(repo / "metadata/1.root.json", 1u << 20));
    BERTH_CHECK(client.init(root));
    BERTH_CHECK(client.refresh());
    BERTH_TRY(const Target target, client.find(name));
    return client.download(target, targets);
  }

  /// Signs `edit`ed metadata of a role as its thief would, without any of our checks.
  void forge(const std::string& name, std::int64_t version, const crypto::SigningKey& key, const std::function<void(json::object&)>& edit) {
    json::object document = role_document("targets");
    document["targets"] = json::object();
    document["version"] = version;
    document["expires"] = to_string(now + 24h);
    edit(document);
    const auto bytes = signed_file(document, {{.keyid = keyid_of(key), .signer = signer_of(copy(key))}});
    ASSERT_TRUE(files::make_directories(repo / "incoming" / name / "metadata"));
    ASSERT_TRUE(files::replace(repo / "incoming" / name / "metadata" / numbered_file(name, version), *bytes));
  }

  static std::string keyid_of(const crypto::SigningKey& key) {
    json::object listed;
    return list_key(listed, key.public_key());
  }

  static json::object target(const std::string& bytes) {
    return {{"length", bytes.size()}, {"hashes", {{"sha256", crypto::sha256_hex(bytes)}}}};
  }

  void expect_refused(const std::string& name, const std::string& says) {
    const auto chain = handed_in(name);
    ASSERT_FALSE(chain) << "expected: " << says;
    EXPECT_EQ(chain.error().code, Errc::trust);
    EXPECT_THAT(chain.error().message, testing::HasSubstr(says));
  }

  files::TemporaryDirectory folder;
  fs::path repo = folder.path() / "repo", keys = folder.path() / "keys";
  WallTime now = *parse_time("2030-01-01T00:00:00Z");
  crypto::SigningKey web = crypto::SigningKey::generate(), shop = crypto::SigningKey::generate();
};

}  // namespace berth::trust
