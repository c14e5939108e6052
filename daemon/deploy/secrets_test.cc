#include <cstdlib>

#include "daemon/deploy/plan_fixture.h"

namespace berth::deploy {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class SecretsTest : public PlanFixture {
 protected:
  void TearDown() override {
    ::unsetenv("CREDENTIALS_DIRECTORY");
    ::unsetenv("BERTH_TEST_TOKEN");
  }
  std::string file(const std::string& name, const std::string& bytes) {
    std::ofstream(folder.path() / name, std::ios::binary) << bytes;
    return (folder.path() / name).string();
  }
  Error refused(const std::string& reference) {
    manifest.secrets = {{"TOKEN", reference}};
    return error_of(resolve_secrets(node, manifest));
  }
};

TEST_F(SecretsTest, ComeFromFilesCredentialsAndTheEnvironmentOfBerthd) {
  ::setenv("CREDENTIALS_DIRECTORY", folder.path().c_str(), 1);
  ::setenv("BERTH_TEST_TOKEN", "from environment", 1);
  file("cred", "from credential");
  manifest.secrets = {{"A", "file:" + file("a", "from file\n\n")}, {"B", "credential:cred"}, {"C", "env:BERTH_TEST_TOKEN"}};
  const auto values = resolve_secrets(node, manifest);
  ASSERT_TRUE(values) << values.error().message;
  const std::map<std::string, std::string> expected = {{"A", "from file\n"}, {"B", "from credential"}, {"C", "from environment"}};
  EXPECT_EQ(*values, expected) << "of a file, one newline at its end is no part of the secret";
}

TEST_F(SecretsTest, ErrorsNameTheVariableAndTheReference) {
  const auto missing = refused("file:/nowhere/token");
  EXPECT_EQ(missing.code, Errc::not_found);
  EXPECT_THAT(missing.message, AllOf(HasSubstr("web@v1: secret TOKEN (file:/nowhere/token)"), HasSubstr("No such file")));

  EXPECT_EQ(refused("vault:kv/token").code, Errc::usage);
  EXPECT_THAT(refused("vault:kv/token").message, HasSubstr("vault:kv/token"));
  EXPECT_EQ(refused("file:relative/token").code, Errc::usage);
  EXPECT_EQ(refused("no-colon").code, Errc::usage);
  EXPECT_EQ(refused("env:not a name").code, Errc::usage);
  EXPECT_EQ(refused("env:BERTH_TEST_TOKEN").code, Errc::not_found);
}

TEST_F(SecretsTest, ACredentialIsNotLookedForOutsideOfTheCredentials) {
  EXPECT_EQ(refused("credential:token").code, Errc::not_found) << "berthd was given none";
  fs::create_directory(folder.path() / "credentials");
  ::setenv("CREDENTIALS_DIRECTORY", (folder.path() / "credentials").c_str(), 1);
  file("outside", "x");
  EXPECT_EQ(refused("credential:../outside").code, Errc::usage);
  EXPECT_EQ(refused("credential:..").code, Errc::usage);
  EXPECT_EQ(refused("credential:token").code, Errc::not_found);
}

TEST_F(SecretsTest, ValuesThatNoVariableCouldHoldAreRefusedWithoutBeingTold) {
  const auto with_nul = refused("file:" + file("nul", std::string("hunter2\0x", 9)));
  EXPECT_EQ(with_nul.code, Errc::usage);
  EXPECT_THAT(with_nul.message, Not(HasSubstr("hunter2")));

  manifest.secrets = {{"TOKEN", "file:" + file("long", std::string(64 << 10, 'x'))}};
  EXPECT_TRUE(resolve_secrets(node, manifest));
  const auto too_long = refused("file:" + file("longer", std::string((64 << 10) + 1, 'x')));
  EXPECT_THAT(too_long.message, Not(HasSubstr("xxx")));
}

TEST_F(SecretsTest, AreNotTakenWhereTheyWouldBeWrittenToADisk) {
  node.run_in_memory = false;
  manifest.secrets = {};
  EXPECT_TRUE(resolve_secrets(node, manifest)) << "without secrets a disk does no harm";
  const auto on_disk = refused("file:" + file("a", "x"));
  EXPECT_EQ(on_disk.code, Errc::usage);
  EXPECT_THAT(on_disk.message, AllOf(HasSubstr("web@v1"), HasSubstr(node.paths.run.string()), HasSubstr("mount a tmpfs")));
}

TEST_F(SecretsTest, ACommandIsRunWhereTheNodeAllowsIt) {
  const auto reference = "command:/bin/echo " + (folder.path() / "x").string();
  const auto unknown = refused(reference);
  EXPECT_EQ(unknown.code, Errc::usage);
  EXPECT_THAT(unknown.message, AllOf(HasSubstr("secret TOKEN"), HasSubstr("/bin/echo"), HasSubstr("[secrets] in berthd.toml")));
  node.secret_sources.commands = {"/bin/echo"};
  const auto values = resolve_secrets(node, manifest);
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_EQ(values->at("TOKEN"), folder.path() / "x");
}

TEST_F(SecretsTest, WhatAnAppIsGivenIsNoted) {
  node.given_secrets = std::make_shared<secrets::GivenSecrets>();
  manifest.secrets = {{"A", "file:" + file("a", "hunter2!\n")}};
  ASSERT_TRUE(resolve_secrets(node, manifest));
  EXPECT_TRUE(node.given_secrets->of("web")->knows("hunter2!"));
}

TEST_F(SecretsTest, ThoseInTheFoldersOfInstancesAreLearnedButNothingBehindALink) {
  node.given_secrets = std::make_shared<secrets::GivenSecrets>();
  const fs::path own = folders_of(node, id).secrets;
  fs::create_directories(own / "folder");
  std::ofstream(own / "TOKEN") << "hunter2!";
  fs::create_symlink(file("elsewhere", "not a secret of it"), own / "LINK");
  ASSERT_EQ(::mkfifo((own / "PIPE").c_str(), 0600), 0);
  InstanceId without = id;
  without.number = 2;
  learn_secrets(node, {without, id});
  const auto known = node.given_secrets->of("web");
  ASSERT_NE(known, nullptr);
  EXPECT_TRUE(known->knows("hunter2!"));
  EXPECT_FALSE(known->knows("not a secret of it"));
}

TEST_F(SecretsTest, APipeOrFolderIsRefusedAtOnce) {
  const auto pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(refused("file:" + pipe.string()).code, Errc::usage);
  EXPECT_EQ(refused("file:" + folder.path().string()).code, Errc::usage);
}

}  // namespace
}  // namespace berth::deploy
