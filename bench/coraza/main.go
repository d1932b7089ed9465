// A reverse proxy with Coraza in front, for bench/waf to compare with: net/http on both sides, and for each request a
// transaction of Coraza's as its own HTTP middleware runs it, responses aside, which nobody inspects here.
//
//	coraza -listen 127.0.0.1:8080 -backend http://127.0.0.1:9000 RULES...
//
// RULES are files and patterns of files, in order.
package main

import (
	"bytes"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/types"
)

// What Debian's package for ModSecurity sets, and no responses.
const settings = `
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess Off
SecRequestBodyLimit 13107200
SecRequestBodyInMemoryLimit 13107200
SecRequestBodyNoFilesLimit 13107200
SecRule REQUEST_HEADERS:Content-Type "^(?:application(?:/soap\+|/)|text/)xml" "id:200000,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQBODY_ERROR "!@eq 0" "id:200002,phase:2,t:none,log,deny,status:400"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" "id:200003,phase:2,t:none,log,deny,status:400"
`

// Whether the request is to be refused, and with which status. The body that was read is put back.
func inspect(tx types.Transaction, request *http.Request) (*types.Interruption, error) {
	client, port, _ := net.SplitHostPort(request.RemoteAddr)
	clientPort, _ := strconv.Atoi(port)
	tx.ProcessConnection(client, clientPort, "", 0)
	tx.ProcessURI(request.URL.String(), request.Method, request.Proto)
	for name, values := range request.Header {
		for _, value := range values {
			tx.AddRequestHeader(name, value)
		}
	}
	tx.AddRequestHeader("Host", request.Host)
	tx.SetServerName(request.Host)
	if request.ContentLength > 0 { // net/http takes it out of the header
		tx.AddRequestHeader("Content-Length", strconv.FormatInt(request.ContentLength, 10))
	}
	if interruption := tx.ProcessRequestHeaders(); interruption != nil {
		return interruption, nil
	}
	if request.Body != nil && request.ContentLength != 0 {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
		if interruption, _, err := tx.WriteRequestBody(body); interruption != nil || err != nil {
			return interruption, err
		}
	}
	return tx.ProcessRequestBody()
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	backend := flag.String("backend", "", "URL")
	flag.Parse()
	config := coraza.NewWAFConfig().WithDirectives(settings)
	for _, rules := range flag.Args() {
		config = config.WithDirectivesFromFile(rules)
	}
	waf, err := coraza.NewWAF(config)
	if err != nil {
		log.Fatal(err)
	}
	target, err := url.Parse(*backend)
	if err != nil {
		log.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	handler := func(answer http.ResponseWriter, request *http.Request) {
		tx := waf.NewTransaction()
		defer func() {
			tx.ProcessLogging()
			_ = tx.Close()
		}()
		interruption, err := inspect(tx, request)
		if err != nil {
			http.Error(answer, "", http.StatusBadRequest)
			return
		}
		if interruption != nil {
			status := interruption.Status
			if status == 0 {
				status = http.StatusForbidden
			}
			answer.WriteHeader(status)
			return
		}
		proxy.ServeHTTP(answer, request)
	}
	log.Fatal(http.ListenAndServe(*listen, http.HandlerFunc(handler)))
}
