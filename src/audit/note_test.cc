#include "audit/note.h"

#include <gtest/gtest.h>

namespace gatehouse::audit {
namespace {

// The example of golang.org/x/mod/sumdb/note, from which C2SP signed-note comes.
constexpr std::string_view kVkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr std::string_view kBody =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
constexpr std::string_view kSignature =
    "\xe2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

TEST(Note, APublishedNoteIsVerified) {
  const auto verifier = NoteVerifier::parse(kVkey);
  ASSERT_TRUE(verifier) << verifier.error().message;
  EXPECT_EQ(verifier->name(), "PeterNeumann");
  EXPECT_EQ(verifier->signature_lines(kBody, kSignature), kSignature);
  EXPECT_EQ(verifier->signature_lines(kBody, "\xe2\x80\x94 other AAAA\n" + std::string(kSignature)), kSignature);
  EXPECT_EQ(verifier->signature_lines(std::string(kBody) + "\n", kSignature), "");
  std::string changed(kSignature);
  changed[40] ^= 1;
  EXPECT_EQ(verifier->signature_lines(kBody, changed), "");
  EXPECT_EQ(verifier->signature_lines(kBody, kSignature.substr(0, kSignature.size() - 1)), "") << "its end is missing";
}

TEST(Note, KeysThatAreNone) {
  for (const std::string_view text : {"", "a", "a+b", "a+b+c", "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                                      "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                                      "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TX",
                                      "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                                      "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"}) {
    EXPECT_FALSE(NoteVerifier::parse(text)) << text;
  }
}

TEST(Note, WhatIsSignedIsRead) {
  const NoteSigner signer = NoteSigner::generate();
  const auto verifier = NoteVerifier::parse(signer.vkey() + "\n");
  ASSERT_TRUE(verifier) << verifier.error().message;
  const Checkpoint checkpoint{signer.name(), 70123, crypto::sha256("root")};
  const std::string note = signer.sign(checkpoint);
  const auto read = verifier->open(note);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, checkpoint);
  EXPECT_EQ(NoteVerifier::parse(NoteSigner::generate().vkey())->open(note).error().code, ErrorCode::denied);
  for (std::size_t i = 0; i < note.size(); ++i) {
    std::string changed = note;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(verifier->open(changed)) << i;
    EXPECT_FALSE(verifier->open(note.substr(0, i))) << i;
  }
}

TEST(Note, CheckpointsInAnotherForm) {
  const std::string root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
  const auto note = [&](std::string_view body) { return std::string(body) + "\n\xe2\x80\x94 a b\n"; };
  ASSERT_TRUE(parse_checkpoint(note("origin\n1\n" + root + "\n")));
  ASSERT_TRUE(parse_checkpoint(note("origin\n0\n" + root + "\nmore\n")));
  for (const std::string& body :
       {"\n1\n" + root + "\n", "origin\n01\n" + root + "\n", "origin\n-1\n" + root + "\n", "origin\n1 \n" + root + "\n",
        "origin\n\n" + root + "\n", "origin\n18446744073709551616\n" + root + "\n", std::string("origin\n1\n\n"),
        "origin\n1\n" + root.substr(1) + "\n", "origin\r\n1\n" + root + "\n", std::string("origin\n1\n"),
        "origin\n1\n" + root + "\n\nmore\n", "ori\xff\n1\n" + root + "\n"}) {
    EXPECT_FALSE(parse_checkpoint(note(body))) << body;
  }
}

}  // namespace
}  // namespace gatehouse::audit
