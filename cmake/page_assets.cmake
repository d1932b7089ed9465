# The login pages' style and scripts, as string literals: the binary carries them.
set(assets ${CMAKE_SOURCE_DIR}/src/identity/pages/assets)
file(READ ${assets}/style.css STYLE_CSS)
file(READ ${assets}/passkeys.js PASSKEYS_JS)
file(READ ${assets}/submit.js SUBMIT_JS)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  ${assets}/style.css ${assets}/passkeys.js ${assets}/submit.js)
configure_file(${CMAKE_CURRENT_LIST_DIR}/page_asset_texts.cc.in ${CMAKE_BINARY_DIR}/page_asset_texts.cc @ONLY)
target_sources(gatehouse_identity PRIVATE ${CMAKE_BINARY_DIR}/page_asset_texts.cc)
