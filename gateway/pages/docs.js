// Shows /openapi.json. Calls go to the address this page came from, whatever name the document gives the edge.
(async () => {
  const place = document.getElementById("api");
  try {
    const answer = await fetch("/openapi.json");
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const spec = await answer.json();
    spec.servers = [{ url: window.location.origin }];
    SwaggerUIBundle({ spec, domNode: place, deepLinking: true, tryItOutEnabled: true, displayRequestDuration: true,
      defaultModelsExpandDepth: 0, docExpansion: "list", validatorUrl: null, syntaxHighlight: { activated: true } });
  } catch (error) {
    place.textContent = `A descrição da API não pôde ser carregada (${error.message}). Tente de novo em instantes.`;
    place.className = "aviso";
  }
})();
