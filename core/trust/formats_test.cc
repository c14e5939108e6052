// What a metadata file may look like, and which signatures count.

#include "core/crypto/openssl_fixture.h"
#include "core/crypto/sha256.h"
#include "core/trust/client_fixture.h"
#include "core/trust/key.h"

namespace berth::trust {
namespace {

using testing::HasSubstr;

/// Changes something of a repository whose first root is pinned later, and says what the refresh then complains of; nothing: it succeeds.
struct Variation {
  const char* what;
  std::function<void(FakeRepository&)> change;
  const char* complaint = "";
};

/// Signs a role again with its signatures changed by `edit`.
std::string resigned(const FakeRole& role, const std::function<void(json::array&)>& edit) {
  json::value file = *json::parse(FakeRepository::sign(role));
  edit(file.as_object()["signatures"].as_array());
  return json::text(file);
}

json::object& keys(FakeRepository& repository) { return repository["root"].content["keys"].as_object(); }
json::object& role(FakeRepository& repository, const char* name) {
  return repository["root"].content["roles"].as_object()[name].as_object();
}

void run(const std::vector<Variation>& variations) {
  for (const Variation& v : variations) {
    SCOPED_TRACE(v.what);
    FakeRepository repository;
    v.change(repository);
    const std::string root = FakeRepository::sign(repository["root"]);
    files::TemporaryDirectory folder;
    Client client(folder.path(), repository, [] { return kNow; });
    Result<void> done = client.init(root);
    if (done) done = client.refresh();
    if (*v.complaint == '\0') {
      EXPECT_TRUE(done) << done.error().message;
    } else {
      ASSERT_FALSE(done);
      EXPECT_EQ(done.error().code, Errc::trust);
      EXPECT_THAT(done.error().message, HasSubstr(v.complaint));
    }
  }
}

void instead_of_timestamp(FakeRepository& r, const std::function<void(json::array&)>& edit) {
  r.instead["timestamp.json"] = [bytes = resigned(r["timestamp"], edit)] { return bytes; };
}

TEST(Formats, LeavesWhatIsUnknownAloneButUnderTheSignature) {
  run({
      {"members everywhere",
       [](FakeRepository& r) {
         for (auto& [name, held] : r.roles) held.content["x-extra"] = {{"é", json::array{json::value("\n\"\\")}}};
         role(r, "targets")["x-extra"] = 1;
         r["snapshot"].content["meta"].as_object()["targets.json"].as_object()["x-extra"] = nullptr;
         r.add_target("targets", "a", "bytes");
         r["targets"].content["targets"].as_object()["a"].as_object()["custom"] = {{"any", "thing"}};
       }},
      {"spec_version 1.0", [](FakeRepository& r) { r["timestamp"].content["spec_version"] = "1.0"; }},
      {"spec_version 2.0", [](FakeRepository& r) { r["timestamp"].content["spec_version"] = "2.0"; }, "of TUF specification '2.0'"},
      {"no version", [](FakeRepository& r) { r["timestamp"].content.erase("version"); }, "member 'version' is missing"},
      {"version 0", [](FakeRepository& r) { r["timestamp"].content["version"] = 0; }, "member 'version' is 0"},
      {"a time with an offset", [](FakeRepository& r) { r["timestamp"].content["expires"] = "2031-01-01T00:00:00+00:00"; }, "is not a time"},
      {"no meta", [](FakeRepository& r) { r["timestamp"].content.erase("meta"); }, "member 'meta' is missing"},
      {"no snapshot.json", [](FakeRepository& r) { r["timestamp"].content["meta"] = json::object(); }, "lists no snapshot.json"},
      {"empty delegations",
       [](FakeRepository& r) { r["targets"].content["delegations"] = {{"keys", json::object()}, {"roles", json::array()}}; }},
      {"no roles", [](FakeRepository& r) { r["root"].content["roles"] = json::object(); }, "member 'root' is missing"},
      {"threshold 0", [](FakeRepository& r) { role(r, "timestamp")["threshold"] = 0; }, "member 'threshold' is 0"},
      {"not JSON", [](FakeRepository& r) { r.instead["timestamp.json"] = [] { return "<html>"; }; }, "timestamp.json: JSON, byte 0"},
      {"no signed", [](FakeRepository& r) { r.instead["timestamp.json"] = [] { return R"({"signatures":[]})"; }; }, "member 'signed' is missing"},
  });
}

TEST(Signatures, CountEachKeyOnceAndIgnoreWhatIsNotTheRoles) {
  run({
      {"none", [](FakeRepository& r) { instead_of_timestamp(r, [](json::array& s) { s.clear(); }); }, "0 of its role's 1 keys"},
      {"an empty one", [](FakeRepository& r) { instead_of_timestamp(r, [](json::array& s) { s[0].as_object()["sig"] = ""; }); }, "0 of its"},
      {"no hex", [](FakeRepository& r) { instead_of_timestamp(r, [](json::array& s) { s[0].as_object()["sig"] = "zz"; }); }, "0 of its"},
      {"a stranger's beside it",
       [](FakeRepository& r) { instead_of_timestamp(r, [](json::array& s) {
                                 s.emplace_back(json::object{{"keyid", "stranger"}, {"sig", ""}});
                               }); }},
      {"one key twice", [](FakeRepository& r) { instead_of_timestamp(r, [](json::array& s) { s.emplace_back(json::value(s[0])); }); },
       "two signatures of one key"},
      {"threshold 2 of 2",
       [](FakeRepository& r) {
         r.add_key("timestamp", r.new_key());
         role(r, "timestamp")["threshold"] = 2;
       }},
      {"threshold 2, one signed",
       [](FakeRepository& r) {
         r.add_key("timestamp", r.new_key());
         role(r, "timestamp")["threshold"] = 2;
         r["timestamp"].signers.pop_back();
       },
       "1 of its role's 2 keys signed it rightly, 2 must"},
      {"one keyid listed twice",
       [](FakeRepository& r) {
         auto& ids = role(r, "timestamp")["keyids"].as_array();
         ids.emplace_back(json::value(ids[0]));
         role(r, "timestamp")["threshold"] = 2;
       },
       "1 of its role's 1 keys"},
      {"one key under two names",
       [](FakeRepository& r) {
         auto& ids = role(r, "timestamp")["keyids"].as_array();
         const std::string id(ids[0].as_string());
         keys(r)["alias"] = keys(r)[id];
         ids.emplace_back("alias");
         role(r, "timestamp")["threshold"] = 2;
         instead_of_timestamp(r, [](json::array& s) { s.emplace_back(json::object{{"keyid", "alias"}, {"sig", s[0].as_object()["sig"]}}); });
       },
       "1 of its role's 2 keys"},
      {"a key that is listed but not there", [](FakeRepository& r) { role(r, "timestamp")["keyids"].as_array().emplace_back("missing"); }},
      {"a key of an unknown kind beside",
       [](FakeRepository& r) {
         keys(r)["odd"] = {{"keytype", "dilithium"}, {"scheme", "dilithium"}, {"keyval", {{"public", "00"}}}};
         role(r, "timestamp")["keyids"].as_array().emplace_back("odd");
       }},
      {"a key with members of its own",
       [](FakeRepository& r) {
         for (auto& member : keys(r)) member.value().as_object()["keyid_hash_algorithms"] = json::array{json::value("sha256")};
       }},
  });
}

class ForeignSignatures : public crypto::OpensslFixture {
 protected:
  /// Gives the timestamp role a key that `openssl` makes, and signs it with that.
  void sign_timestamp(FakeRepository& r, const char* type, const char* scheme, const std::string& make, const std::string& options) {
    OpensslFixture::run(make + " && openssl pkey -in key.pem -pubout -out key.pub");
    r.clear_keys("timestamp");
    keys(r)["foreign"] = {{"keytype", type}, {"scheme", scheme}, {"keyval", {{"public", content("key.pub")}}}};
    role(r, "timestamp")["keyids"].as_array().emplace_back("foreign");
    write("message", *json::canonical(r["timestamp"].content));
    OpensslFixture::run("openssl dgst -sha256 -sign key.pem " + options + " -out signature message");
    instead_of_timestamp(r, [&](json::array& s) { s.emplace_back(json::object{{"keyid", "foreign"}, {"sig", crypto::to_hex(content("signature"))}}); });
  }

  static constexpr const char* kMakeEcdsa = "openssl ecparam -name prime256v1 -genkey -noout -out key.pem";
  static constexpr const char* kMakeRsa = "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out key.pem";
  static constexpr const char* kPss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32";
};

TEST_F(ForeignSignatures, OfEcdsaAndRsaKeysCount) {
  trust::run({
      {"ECDSA", [this](FakeRepository& r) { sign_timestamp(r, "ecdsa", "ecdsa-sha2-nistp256", kMakeEcdsa, ""); }},
      {"RSA-PSS", [this](FakeRepository& r) { sign_timestamp(r, "rsa", "rsassa-pss-sha256", kMakeRsa, kPss); }},
      {"RSA of the older padding", [this](FakeRepository& r) { sign_timestamp(r, "rsa", "rsassa-pss-sha256", kMakeRsa, ""); }, "0 of its role's 1 keys"},
      {"an ECDSA key listed as RSA", [this](FakeRepository& r) { sign_timestamp(r, "rsa", "rsassa-pss-sha256", kMakeEcdsa, ""); }, "0 of its role's 0 keys"},
  });
}

TEST(KeyObject, IsReadBackAndNamedByTheHashOfAllItsMembers) {
  for (const auto type : {crypto::KeyType::ed25519, crypto::KeyType::ecdsa_p256, crypto::KeyType::rsa}) {
    const auto key = crypto::SigningKey::generate(type);
    EXPECT_EQ(read_key(key_object(key.public_key())), key.public_key());
  }
  json::object listed = key_object(crypto::SigningKey::generate().public_key());
  const std::string id = keyid(listed);
  EXPECT_EQ(id.size(), 64u);
  listed["x"] = "y";
  EXPECT_NE(keyid(listed), id);
}

}  // namespace
}  // namespace berth::trust
