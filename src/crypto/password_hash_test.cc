#include "crypto/password_hash.h"

#include <gtest/gtest.h>

namespace gatehouse::crypto {
namespace {

constexpr PasswordCost kCheap{.memory_kib = 64, .passes = 1};

// The reference implementation's own tests (phc-winner-argon2, src/test.c).
TEST(PasswordHash, PublishedHashes) {
  struct Case {
    const char *phc, *password;
  };
  const Case cases[] = {
      {"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password"},
      {"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"},
      {"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94", "differentpassword"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(verify_password(c.phc, c.password), PasswordVerdict::match) << c.phc;
    EXPECT_EQ(verify_password(c.phc, "Password"), PasswordVerdict::mismatch) << c.phc;
    EXPECT_TRUE(needs_rehash(c.phc));
  }
}

TEST(PasswordHash, MatchesItsPasswordOnly) {
  const auto phc = hash_password("correct horse battery staple");
  ASSERT_TRUE(phc);
  EXPECT_TRUE(phc->starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << *phc;
  EXPECT_FALSE(needs_rehash(*phc));
  EXPECT_TRUE(needs_rehash(*phc, {.memory_kib = 19456, .passes = 3}));
  EXPECT_NE(hash_password("correct horse", {}, kCheap).value(), hash_password("correct horse", {}, kCheap).value());
  EXPECT_EQ(verify_password(*phc, "correct horse battery staple"), PasswordVerdict::match);
  EXPECT_EQ(verify_password(*phc, "correct horse battery stapl"), PasswordVerdict::mismatch);
  EXPECT_EQ(verify_password(*phc, ""), PasswordVerdict::mismatch);
  EXPECT_EQ(verify_password(*phc, "correct horse battery staple", "pepper"), PasswordVerdict::mismatch);
}

TEST(PasswordHash, ThePepperIsNeeded) {
  const std::string zero("a\0b", 3);
  for (const std::string& password :
       {std::string("hunter2"), std::string(), zero, std::string(kPasswordBytesMax, 'x')}) {
    const auto phc = hash_password(password, "pepper", kCheap);
    ASSERT_TRUE(phc);
    EXPECT_EQ(verify_password(*phc, password, "pepper"), PasswordVerdict::match);
    EXPECT_EQ(verify_password(*phc, password, "other"), PasswordVerdict::mismatch);
    EXPECT_EQ(verify_password(*phc, password), PasswordVerdict::mismatch);
  }
  EXPECT_EQ(verify_password(*hash_password(zero, {}, kCheap), "a"), PasswordVerdict::mismatch)
      << "bytes behind a zero count";
}

TEST(PasswordHash, RefusesWhatIsNoHashWithinBounds) {
  const std::pair<const char*, const char*> cases[] = {
      {"nothing", ""},
      {"plain text", "hunter2"},
      {"bcrypt", "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"},
      {"Argon2i", "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA"},
      {"an older version", "$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
      {"four gigabytes", "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
      {"a million passes",
       "$argon2id$v=19$m=256,t=1000000,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
      {"two lanes", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"},
      {"no lanes", "$argon2id$v=19$m=256,t=2$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
      {"a number too large", "$argon2id$v=19$m=99999999999,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR"},
  };
  for (const auto& [name, phc] : cases) {
    EXPECT_EQ(verify_password(phc, "password"), PasswordVerdict::malformed) << name;
    EXPECT_TRUE(needs_rehash(phc)) << name;
  }
  EXPECT_FALSE(hash_password(std::string(kPasswordBytesMax + 1, 'x'), {}, kCheap));
  EXPECT_FALSE(hash_password("x", {}, {.memory_kib = 4, .passes = 1}));
  EXPECT_FALSE(hash_password("x", {}, {.memory_kib = 64, .passes = 0}));
}

TEST(PasswordHash, KeysFromPassphrases) {
  const std::string salt(kPassphraseSaltBytes, 's'), other(kPassphraseSaltBytes, 't');
  const auto key = key_from_passphrase("open sesame", salt, kCheap);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->size(), 32U);
  EXPECT_EQ(key->expose(), key_from_passphrase("open sesame", salt, kCheap)->expose());
  EXPECT_NE(key->expose(), key_from_passphrase("open sesame", other, kCheap)->expose());
  EXPECT_NE(key->expose(), key_from_passphrase("open Sesame", salt, kCheap)->expose());
  EXPECT_FALSE(key_from_passphrase("open sesame", "short", kCheap));
}

}  // namespace
}  // namespace gatehouse::crypto
