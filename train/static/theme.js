// Light or dark before anything is painted: as a query asks (a Space's frame does), else as the system does.
{
  const system = matchMedia('(prefers-color-scheme: dark)');
  const asked = new URL(location.href).searchParams.get('__theme');
  const paint = () => document.documentElement.classList.toggle('dark', asked ? asked === 'dark' : system.matches);
  system.addEventListener('change', paint);
  paint();
}
